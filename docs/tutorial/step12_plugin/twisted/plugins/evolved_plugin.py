"""The line by which twistd finds us. Every twistd reads this file, so it imports nothing of ours."""

from twisted.application.service import ServiceMaker

evolved = ServiceMaker("Evolved proxy", "evolved.tap", "The reverse proxy of the tutorial.", "evolved")
