"""What every room may use: devices, threads, files, ONNX sessions, progress."""
