"""Mock hardware as a product: register-true chips, pins and the electrical world behind them."""
