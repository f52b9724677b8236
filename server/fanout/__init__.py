"""Who gets what: delivery to devices and pages. `port` alone touches the library's internals."""
