"use strict";

const place = document.getElementById("swagger-ui");
SwaggerUIBundle({
  url: place.dataset.openapi,
  domNode: place,
  // The default asks a validator on the internet.
  validatorUrl: null,
  deepLinking: false,
});
