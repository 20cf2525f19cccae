package record

// Version is the Kubernetes release that this program was built over, set by the linker.
var Version = "1.0.0"
