"""From a float net to the int8 file and its sidecar."""
