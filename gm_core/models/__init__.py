"""One network per file: `nn.Module` only, with paper, shapes and value ranges."""
