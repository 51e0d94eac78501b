"""Where steps run: processes of this machine, GPUs leased by lock, Ray, Kubernetes."""
