"""Networks: one family per file, token ids and mask in, raw logits out."""
