// An address that ends in #token=… signs in with one click. The token never reaches a log, because browsers keep the
// part after # to themselves, and it is taken out of the address before anything else happens.

function signIn() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) return;
  history.replaceState(null, "", location.pathname + location.search);
  const form = document.getElementById("sign-in");
  form.elements.token.value = token;
  form.requestSubmit();
}

addEventListener("hashchange", signIn);
signIn();
