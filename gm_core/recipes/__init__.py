"""How each shipped checkpoint was made: one script per checkpoint. Nothing outside this folder imports them."""
