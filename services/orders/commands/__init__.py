"""What happens? Accounts are opened, orders are placed by people and by signals, bars fill them."""
