"""The page where a person types the admin token. Every text is escaped here."""

from __future__ import annotations

from html import escape


def login_page(*, to: str, wrong: str = "") -> str:
    """to: the page to go on to. wrong: what to say of the try before."""
    said = f'<p class="bad" role="alert">{escape(wrong)}</p>\n' if wrong else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sightglass: log in</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<header>
<h1>Sightglass</h1>
</header>
<main class="login">
<form method="post" action="/login">
<h2><label for="token">Admin token</label></h2>
{said}<input type="password" id="token" name="token" autocomplete="current-password" required autofocus>
<input type="hidden" name="to" value="{escape(to)}">
<button type="submit">Log in</button>
<p><small>It is in <code>admin-token</code> in the data directory; <code>sightglass token --show</code> prints
it.</small></p>
</form>
</main>
</body>
</html>
"""
