# One image for the board and the workers; the command decides which one runs.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 8420 --home-dir /var/lib/guardia --create-home guardia
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir /wheels/*.whl && rm -rf /wheels
USER guardia
ENV GUARDIA_HOME=/var/lib/guardia PYTHONUNBUFFERED=1
VOLUME /var/lib/guardia
EXPOSE 8420
ENTRYPOINT ["guardia"]
CMD ["serve"]
