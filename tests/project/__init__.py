"""What stands around the code keeps its word: set-up, documents, workflows."""
