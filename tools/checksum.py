"""Shell function that prints the SHA-256 of its input, with what a server has for it."""

from __future__ import annotations

from typing import Final

SHA256: Final = r"""
sha256() {
  local digest
  if command -v sha256sum >/dev/null; then digest=$(sha256sum)
  elif command -v openssl >/dev/null; then digest=$(openssl dgst -sha256 -r)
  else digest=$(shasum -a 256); fi
  printf '%s' "${digest%% *}"
}
"""
