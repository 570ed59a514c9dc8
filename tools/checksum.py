"""Shell function that prints the SHA-256 of its input, with what a server has for it."""

from __future__ import annotations

from typing import Final

# openssl uses what the processor has for it, where sha256sum often takes twice the time. Its digest
# of nothing shows that it works here.
SHA256: Final = r"""
sha256() {
  local digest
  case $(openssl dgst -sha256 -r </dev/null 2>/dev/null || true) in
    e3b0c44298fc1c149afbf4c8996fb924*) digest=$(openssl dgst -sha256 -r) ;;
    *) if command -v sha256sum >/dev/null; then digest=$(sha256sum)
       else digest=$(shasum -a 256); fi ;;
  esac
  printf '%s' "${digest%% *}"
}
"""
