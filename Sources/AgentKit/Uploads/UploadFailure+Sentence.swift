import SystemSupport
package import TransferCore

extension UploadFailure {
    /// What happened and what the user can do, in one sentence.
    package func sentence(_ step: NextStep) -> String {
        kind.remedy(step, isExplained: !message.isEmpty).map { "\(cause); \($0)" } ?? cause
    }

    /// What happened: the failure's own message, or else that of its kind. It is the beginning of a sentence, so it has
    /// no capital at its start and no full stop at its end, although a message of a gateway may have both.
    package var cause: String {
        let own = message.asBeginningOfSentence
        return own.isEmpty ? kind.cause : own
    }
}

extension String {
    /// The text without the punctuation and spaces at its end, and with a small letter at its start. An abbreviation
    /// such as LZ4 keeps its capitals.
    package var asBeginningOfSentence: String {
        var scalars = Substring(self).unicodeScalars
        while let last = scalars.last, ".;:, \n".unicodeScalars.contains(last) { scalars.removeLast() }
        guard let first = scalars.first, ("A"..."Z").contains(first), let second = scalars.dropFirst().first,
            ("a"..."z").contains(second)
        else { return String(scalars) }
        return String(first).lowercased() + String(scalars.dropFirst())
    }
}

extension UploadFailure.Kind {
    fileprivate var cause: String {
        switch self {
        case .changed: "the file changed while it was being sent"
        case .wrongFile: "the file is not the one that this upload started with"
        case .stillWritten: "it is still being written"
        case .tooManyOpenFiles: "this process has as many files open as it may have"
        case .incomplete: "the content did not arrive completely"
        case .missing: "there is no such file"
        case .unreadable: "the file cannot be read"
        case .keyInvalid: "the gateway does not take this key"
        case .keyTaken: "the key holds other content"
        case .keyUnsupported: "the store cannot hold an object under this key"
        case .sizeUnsupported: "the store does not take files of this size"
        case .partSizeUnsupported: "the gateway does not take parts of this size"
        case .storeRefuses: "the store refuses the gateway's credentials or rights"
        case .bucketMissing: "the gateway's bucket or directory is missing"
        case .metadataInvalid: "the gateway does not take this content type or these metadata"
        case .contentRefused: "the store refuses this file"
        case .gatewayAtWork: "the gateway is connected and still at work on it"
        case .unreachable: "the gateway could not be reached"
        case .storeUnavailable: "the store is not available"
        case .storeFull: "the store is full"
        case .busy: "the gateway has no room for it now"
        case .gatewayFailed: "the gateway had an internal error, which is in its log"
        case .fenced: "another agent with this device's identity has taken over"
        case .stopped: "interrupted"
        case .journalFull: "this machine's disk is full"
        case .sessionLost: "the parts that were sent can no longer be used"
        case .outcomeUnknown: "it is not known whether the store has finished the object"
        case .superseded: "a newer upload of this file has taken its place"
        case .versionUnsupported: "the gateway speaks no version of the protocol that this agent speaks"
        case .notAuthorised: "the gateway does not know this device"
        case .gatewayUntrusted: "the gateway could not prove its identity"
        case .protocolViolation: "the gateway broke the protocol"
        }
    }

    /// What the user can do. `nil` if the advice depends on more than the kind of failure: then the failure's own
    /// message contains it.
    ///
    /// - Parameter isExplained: whether the failure has a message of its own.
    fileprivate func remedy(_ step: NextStep, isExplained: Bool) -> String? {
        switch self {
        case .missing where step == .pushOrResume:
            "if it is gone for good, drop its upload with sluice-agent abort ID (sluice-agent status lists the IDs)"
        case .missing: isExplained ? nil : "check its path"
        case .unreadable: isExplained ? nil : "check its permissions and its disk"
        case .sizeUnsupported:
            step == .pushStream
                ? "push the stream again, from its beginning, with a larger --part-size"
                : "send it in pieces, or ask the gateway's operator for another store"
        case .sessionLost: step.words()
        case .superseded where step == .drop: nil
        case .changed: "push it again when nothing writes to it any more"
        case .stillWritten: "push it again when its writer is done"
        case .tooManyOpenFiles: step.words(behind: DescriptorLimit.advice)
        case .incomplete: "nothing is stored; push it again when its producer has succeeded"
        case .wrongFile: "name the right one with resume ID --file PATH, or push this one as a new upload"
        case .keyInvalid, .keyUnsupported:
            step == .pushStream
                ? "choose another --key" : "choose another key: push the file alone with --key, or rename it"
        case .keyTaken: "choose another key, or write over it with --if-exists replace"
        case .partSizeUnsupported: "choose another --part-size"
        case .metadataInvalid: "change --content-type or --metadata"
        case .storeRefuses, .bucketMissing: step.words(behind: "tell the gateway's operator")
        case .contentRefused: "tell the gateway's operator"
        case .unreachable: step.words(behind: "check --gateway and the network")
        case .storeFull: step.words(behind: "tell the gateway's operator", "when there is room")
        case .gatewayAtWork, .storeUnavailable, .busy, .gatewayFailed, .outcomeUnknown:
            step.words("in a while")
        case .stopped, .superseded: step.words()
        case .fenced: "give each machine an identity of its own with sluice-agent init"
        case .journalFull: step.words(behind: "make room on the disk of the agent's home, or repair it")
        case .versionUnsupported: "update the older of the two programs"
        case .gatewayUntrusted:
            "if its operator has replaced its key, authority or name, run sluice-agent init --repin with the new "
                + "--invite, --pin or --ca, which keeps the identity and the journal; otherwise another server may "
                + "pose as the gateway"
        case .notAuthorised:
            "ask the gateway's operator to invite it, to add it with sluice-gateway device add, or to have its "
                + "identity.csr signed"
        case .protocolViolation: "check --gateway: a sluice-gateway has to answer there"
        }
    }
}
