package record

// Minor is N of the Kubernetes 1.N that this program was built over.
const Minor = 37
