"""Found in place of Blinka's `board`."""

D4, D17, D23 = 4, 17, 23
