// Where the page was to be opened is where it is opened after the login: the view stands behind the #.

document.querySelector("form").action = `/login${location.hash}`;
