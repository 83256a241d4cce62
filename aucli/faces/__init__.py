"""Finding faces in frames, following people through a video, cutting aligned crops. Start: `detectors`."""
