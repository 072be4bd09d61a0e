"""Label embeddings: the rows of a network's last layer, in two dimensions and in clusters."""
