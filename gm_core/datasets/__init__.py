"""Where the recipes' pictures come from: folders of photographs, and worlds drawn by code."""
