# The connector: one static binary, nothing else. "make image-binary" builds it.
# Root certificates are part of the binary.
FROM scratch
COPY dist/connector/parley /parley
USER 65532:65532
ENTRYPOINT ["/parley"]
CMD ["connect", "slack"]
