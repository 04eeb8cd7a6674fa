"""The quiz "Which face is fake?": its stock of portraits, its games, its class rooms, its results. No page in here."""
