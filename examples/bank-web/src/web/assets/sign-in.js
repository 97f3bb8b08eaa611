// Signs a browser in.
"use strict";

const form = document.getElementById("sign-in");
const link = document.getElementById("link");
link.hidden = true;

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const problem = document.getElementById("problem");
  const button = form.querySelector("button");
  problem.textContent = "";
  button.disabled = true;
  const fields = new FormData(form);
  const body = { app: Number(fields.get("app")), user: fields.get("user"), password: fields.get("password") };
  try {
    const response = await fetch("/sign-in", {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
    });
    if (response.ok) return location.assign("/");
    problem.textContent = (await response.json()).error;
  } catch {
    problem.textContent = "The front node cannot be reached; try again.";
  }
  button.disabled = false;
});
