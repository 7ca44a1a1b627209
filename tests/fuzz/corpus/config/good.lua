return { listen = "0.0.0.0:8080", frames_per_s = 5, plain_keys = true, log = "json" }
