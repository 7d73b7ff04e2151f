// A person's browser runs this; a program that fetches links for a preview does not, and uses no link up.
document.getElementById("login").requestSubmit();
