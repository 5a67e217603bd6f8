// Native tests of the geometry engine.
