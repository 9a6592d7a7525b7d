import TransferCommon
import WireProtocol

/// What an upload does about the object that its key holds.
enum OnObject: Hashable {
    /// The file is read and compared with the object.
    case compare(ObjectComparison)
    /// The object is the file, as this evidence shows.
    case same(SessionExists, ContentEvidence)
    /// The next session replaces the object.
    case replace(SessionExists)
    case end(UploadFailure)
}

extension SessionExists {
    /// Judges the object before the file is read. `isOther`: it is known to be neither the file nor its beginning.
    func judge(for session: UploadSession, isOther: Bool) -> OnObject {
        guard !session.request.isStream else {
            let message = "the key holds an object already, with which a stream cannot be compared"
            return .end(UploadFailure(.keyTaken, message))
        }
        guard !isOther, let comparison = session.comparison(with: self) else {
            return differs(from: session, isKnown: isOther)
        }
        return .compare(comparison)
    }

    fileprivate func differs(from session: UploadSession, isKnown: Bool) -> OnObject {
        guard session.policy != .replace else { return .replace(self) }
        return .end(keyTaken(fileBytes: session.fileBytes, isKnown: isKnown))
    }
}

extension ObjectComparison {
    /// Judges the object by the file that the shell has read, or failed to read.
    func judge(_ reading: EvidenceReading, for session: UploadSession) -> OnObject {
        switch reading {
        case .failed(let failure):
            return .end(failure)
        case .computed(let evidence, let later):
            guard let stamp = session.stamp, stamp.difference(whileReading: later) != .changed else {
                return .end(.changedWhileRead)
            }
            return switch judge(evidence) {
            case .same: .same(exists, evidence)
            case .continuation: .replace(exists)
            case .other: exists.differs(from: session, isKnown: true)
            }
        }
    }
}
