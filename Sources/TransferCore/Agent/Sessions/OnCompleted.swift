package import TransferCommon
package import WireProtocol

/// What the agent concludes from COMPLETED about the object.
package enum OnCompleted: Hashable, Sendable {
    /// The object and the file differ in size.
    case otherSize
    /// The object may differ from the file as it is now, so the two are compared. `isOther`: they are known to differ.
    case compare(SessionExists, isOther: Bool)
    /// The object is the file. `isCompared`: whether the gateway's evidence equals the file's digest.
    case stored(isCompared: Bool)
}

/// The digests that the agent has computed of a file.
package struct FileDigests: Hashable, Sendable {
    /// The root digest; `nil` unless the digest of every part is known.
    package var root: SHA256Digest?
    /// The digest of the whole file, if the file is one part that has been read.
    package var whole: SHA256Digest?

    package init(root: SHA256Digest? = nil, whole: SHA256Digest? = nil) {
        self.root = root
        self.whole = whole
    }
}

extension Completed {
    /// Judges the object by the frame's evidence and by the digests of the file that are known. `isAnswer`: whether
    /// this run has sent COMPLETE in the slot.
    package func judge(
        for session: UploadSession, root: SHA256Digest?, whole: SHA256Digest?, isAnswer: Bool
    ) -> OnCompleted {
        guard size == session.fileBytes else { return .otherSize }
        // The comparison takes a SESSION EXISTS, so make one from COMPLETED.
        let exists = SessionExists(
            size: size, partBytes: partBytes, evidence: evidence, etag: etag, version: version, session: session.id)
        let hasPartSize = partBytes == session.plan?.partBytes
        switch evidence.agrees(root: root, hasPartSize: hasPartSize, whole: whole) {
        case false?:
            return .compare(exists, isOther: true)
        case nil where !session.request.isStream && (evidence != .none || !isAnswer || session.isTouched):
            // The object may have the content that the file had before it was touched. Or another agent with the same
            // identity completed the session with another file.
            return .compare(exists, isOther: false)
        case let agrees:
            return .stored(isCompared: agrees == true)
        }
    }
}
