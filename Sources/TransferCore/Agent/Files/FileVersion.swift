package import TransferCommon

/// The version of the file that a session uploads, and whether the journal has its stamp.
///
///     from      event                                                          to
///     recorded  the file was touched since an earlier run began the session    touched
///     touched   a gateway's answer shows that the session was not completed    recorded
///     touched   the session is dropped, or another one takes its place         recorded
package enum FileVersion: Hashable, Sendable {
    /// The journal has this stamp, or gets it with the session.
    case recorded(FileStamp)
    /// The journal still has an earlier stamp. The session may have been completed with the content from before the
    /// file was touched.
    case touched(FileStamp)

    package var stamp: FileStamp {
        switch self {
        case .recorded(let stamp), .touched(let stamp): stamp
        }
    }

    package var isTouched: Bool {
        if case .touched = self { true } else { false }
    }

    /// Replaces the stamp of the file, because the content is the same.
    package mutating func restamp(_ stamp: FileStamp) {
        self = isTouched ? .touched(stamp) : .recorded(stamp)
    }

    /// Notes that the file was touched after the session began.
    package mutating func touch() { self = .touched(stamp) }

    /// The journal gets the present stamp, or no longer needs it.
    package mutating func settle() { self = .recorded(stamp) }
}
