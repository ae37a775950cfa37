// Conveniences only: every page works without this file.
"use strict";

// Ctrl+Enter in a text area sends its form.
document.addEventListener("keydown", (event) => {
  const area = event.target;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && area instanceof HTMLTextAreaElement && area.form) {
    event.preventDefault();
    area.form.requestSubmit();
  }
});

// Choosing from a list shows the choice at once; without a script the form's button does.
for (const form of document.querySelectorAll("form[data-at-once]")) {
  form.addEventListener("change", (event) => {
    if (event.target instanceof HTMLSelectElement) form.requestSubmit();
  });
}

// A form leaves out of the address what was not filled in.
for (const form of document.forms) {
  form.addEventListener("formdata", (event) => {
    for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
  });
}
