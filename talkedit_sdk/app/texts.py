"""Every word that the app says, in one place. Names in braces are filled in; they stay when this is translated."""

from __future__ import annotations

from typing import Final

TITLE: Final = "talkedit"
TAGLINE: Final = "Give a face another emotion, or something to say."
PRIVACY: Final = (
    "Only edit people who agreed to it, and say so when you publish. Results are marked as synthetic in their "
    "metadata. Your files are deleted {minutes:.0f} minutes after you leave."
)

# The two halves
TAB_EDIT: Final = "Change the emotion"
TAB_TALK: Final = "Make a face talk"

# The clip
SOURCE: Final = "Your clip"
TAB_VIDEO: Final = "Video"
TAB_PHOTO: Final = "Photo"
VIDEO: Final = "Upload or record"
PHOTO: Final = "Upload or take"
EXAMPLE: Final = "Try the example clip"
LIMITS: Final = "Up to {seconds:.0f} seconds and {megabytes:.0f} MB, a face turned to the camera."
EMPTY_TITLE: Final = "See a face change its mind"
EMPTY: Final = "Upload a clip, record yourself, or start with the example. Then pick an emotion and move the sliders."

# The edit
EMOTION: Final = "Emotion"
EMOTIONS: Final = {
    "neutral": "Neutral",
    "happy": "Happy",
    "sad": "Sad",
    "angry": "Angry",
    "surprised": "Surprised",
    "fearful": "Fearful",
    "disgusted": "Disgusted",
    "contempt": "Contempt",
}
MIX: Final = "Mix several emotions"
MIX_INFO: Final = "Set how much of each goes in; what counts is how they compare."
INTENSITY: Final = "Intensity"
INTENSITY_INFO: Final = "How strongly the face shows it: 0 changes nothing, 1 is natural, more exaggerates."
MOUTH: Final = "Keep the mouth"
MOUTH_INFO: Final = "1 holds the lips to what is being said, 0 lets the emotion shape them too."
DETAIL: Final = "Detail"
DETAIL_INFO: Final = "Folds and shading that come and go with the expression: 0 leaves the skin as it is."
WHO: Final = "Who"
EVERYBODY: Final = "Everybody"
FACE: Final = "Face {number}"
FACE_SEEN: Final = "in {share:.0%} of the clip"
WHEN: Final = "When, and how it rises and fades"
BEGIN: Final = "From (seconds)"
END: Final = "To (seconds)"
RANGE_INFO: Final = "Outside of this the clip stays as it is."
BADGE: Final = "Mark the picture as AI-edited"
BADGE_INFO: Final = "A small sign in the corner farthest from the face, in what you download."
CURVE: Final = "Intensity over time"
CURVE_INFO: Final = "Drag the points, or use the arrow keys: the top line is the intensity set above."
CURVE_HANDLE: Final = "Point {number} of the intensity curve"
CURVE_SHAPES: Final = {"Steady": 1, "Rise": 2, "Fade": 3, "Swell": 4, "Pulse": 5}

# The preview
PREVIEW: Final = "Preview: before and after"
CLOSE_UP: Final = "Close-up"
MOMENTS: Final = "Moment to preview"
CAPTION_PHOTO: Final = "{emotion}, intensity {intensity:.2f}"
CAPTION: Final = "{emotion}, intensity {intensity:.2f}, at {time:.1f} s"

# Work
RENDER: Final = "Render the whole clip"
RENDER_PHOTO: Final = "Save the photo"
CANCEL: Final = "Cancel"
WAITING: Final = "Waiting for a free moment"
WATCHING: Final = "Finding and following faces"
RENDERING: Final = "Rendering"
JOINING: Final = "Putting both videos into one"
FRAMES_DONE: Final = "{label}: {done} frames"
SHARE_DONE: Final = "{label}: {share:.0%}"
TIME_LEFT: Final = "{text}, {left} left"
SECONDS: Final = "{seconds:.0f} s"
MINUTES: Final = "{minutes:.0f} min {seconds:.0f} s"
CANCELLED: Final = "Cancelled. Nothing was kept of it."

# The result
RESULT: Final = "Result"
BEFORE: Final = "Before"
AFTER: Final = "After"
SIDE_BY_SIDE: Final = "Side by side"
WIPE: Final = "Wipe"
PLAY: Final = "Play"
PAUSE: Final = "Pause"
SEEK: Final = "Position"
WIPE_HANDLE: Final = "Line between before and after"
DOWNLOAD: Final = "Edited video"
DOWNLOAD_PHOTO: Final = "Edited photo"
DOWNLOAD_SIDE: Final = "Side by side"
DOWNLOAD_WIPE: Final = "Moving wipe"
DOWNLOAD_CURVES: Final = "Curves (CSV)"
DOWNLOADS: Final = "Download"
CHANGES: Final = "What changed"
CHANGES_INFO: Final = (
    "The mouth's opening as a share of the face's width, and the movements that changed most, from 0 to 1."
)
MOUTH_OPENING: Final = "Mouth opening"
PLOT_SUMMARY: Final = "{before:.2f} → {after:.2f}"
REPORT: Final = "Report"
ALL_EDITED: Final = "All {frames} frames were edited."
ONE_EDITED: Final = "The photo was edited."
SOME_EDITED: Final = "{edited} of {frames} frames were edited."
NONE_EDITED: Final = "No frame was edited."
STRETCH: Final = "{begin:.1f} to {end:.1f} s: {reason}."
MORE_STRETCHES: Final = "And {count} more such moments."
REASONS: Final = {
    "no face": "nobody to edit was seen",
    "intensity 0": "left as it is, as you asked",
    "turned away": "the face is turned away too far",
    "fading": "the edit comes and goes softly here",
}

# Making a face talk
TALK_FACE: Final = "Whose face"
TALK_LIMITS: Final = "A face turned to the camera, best calm and with closed lips. Up to {megabytes:.0f} MB."
VOICE_LIMITS: Final = "Up to {seconds:.0f} seconds of one person speaking."
TALK_VOICE: Final = "What is said"
TAB_AUDIO: Final = "Sound"
TAB_TEXT: Final = "Text"
AUDIO: Final = "Upload or record a voice"
TEXT: Final = "Read by a plain computer voice"
TEXT_EXAMPLE: Final = "Good morning! I have been a photo for years, and I have so much to tell."
TEXT_VOICE: Final = "Language of the text"
VOICES: Final = {
    "en-US": "English (US)",
    "en": "English (UK)",
    "ar": "Arabic",
    "cmn": "Chinese (Mandarin)",
    "cs": "Czech",
    "da": "Danish",
    "nl": "Dutch",
    "fi": "Finnish",
    "fr": "French",
    "de": "German",
    "el": "Greek",
    "hi": "Hindi",
    "hu": "Hungarian",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "nb": "Norwegian",
    "fa": "Persian",
    "pl": "Polish",
    "pt": "Portuguese",
    "pt-BR": "Portuguese (Brazil)",
    "ro": "Romanian",
    "ru": "Russian",
    "es": "Spanish",
    "sw": "Swahili",
    "sv": "Swedish",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "vi": "Vietnamese",
}
TIMBRE: Final = "Voice"
TIMBRES: Final = {"Low": "+m3", "High": "+f3"}
FROM_VOICE: Final = "As heard"
TALK_INTENSITY_INFO: Final = "How strongly the face shows it: 0 only speaks, 1 is natural."
HEAD: Final = "Head"
HEAD_INFO: Final = "How much the head moves: 0 keeps it still, 1 is natural."
BLINKS: Final = "Blinks"
BLINKS_INFO: Final = "How many a minute; people who talk blink 15 to 25 times."
TALK: Final = "Make it talk"
TALKING: Final = "Making it talk"
DOWNLOAD_TALK: Final = "Download the video"

# What can go wrong
NO_FACE_GIVEN: Final = "There is no face yet: upload a photo or a video of one."
NO_VOICE_GIVEN: Final = "There is nothing to say yet: upload or record a voice."
TOO_MUCH_TEXT: Final = "The text has {is_} characters, and up to {limit} can be read here: shorten it."
NO_TEXT: Final = "There is nothing to say yet: write a sentence or two."
VOICE_TOO_LONG: Final = (
    "The voice lasts {is_:.0f} seconds, and up to {limit:.0f} can be spoken here in a picture of this size: trim it, "
    "or use a smaller picture."
)
TOO_HEAVY: Final = (
    "{name} has {is_:.0f} MB, and up to {limit:.0f} MB can be edited here: export it smaller, or trim it."
)
TOO_LONG: Final = (
    "Clips of {width} x {height} can last up to {limit:.0f} seconds here: trim it, or export it at a smaller size."
)
PHOTO_TOO_LARGE: Final = "The photo has {is_:.0f} megapixels, and up to {limit:.0f} can be edited here: scale it down."
NO_FRAMES: Final = "The file holds no picture: check that it plays, or export it again as mp4."
EMPTY_RANGE: Final = "The edit would end before it begins: set 'From' below 'To', both inside the clip."
BAD_CURVE: Final = "An intensity curve is a list of [place, share] from 0 to 1, its places ascending."
SESSION_OVER: Final = "The clip is no longer on the server: upload it once more."
NOT_UPLOADED: Final = "The video must be a file that was uploaded: wrap its path in gradio_client.handle_file."
UNEXPECTED: Final = "Something went wrong here, and it is not your fault: try again, or try another clip."
