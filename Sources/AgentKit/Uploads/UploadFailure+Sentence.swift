import SystemSupport
package import TransferCore

extension UploadFailure {
    /// What happened and what the user can do, in one sentence.
    package func sentence(_ step: NextStep) -> String {
        kind.remedy(step).map { "\(cause); \($0)" } ?? cause
    }

    /// What happened: the failure's own message, or else that of its kind.
    package var cause: String { message.isEmpty ? kind.cause : message }
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
    fileprivate func remedy(_ step: NextStep) -> String? {
        switch self {
        case .missing, .unreadable, .sizeUnsupported, .sessionLost: nil
        case .superseded where step == .drop: nil
        case .changed: "push it again when nothing writes to it any more"
        case .stillWritten: "push it again when its writer is done"
        case .tooManyOpenFiles: step.words(behind: DescriptorLimit.advice)
        case .incomplete: "nothing is stored; push it again when its producer has succeeded"
        case .wrongFile: "name the right one with resume ID --file PATH, or push this one as a new upload"
        case .keyInvalid, .keyUnsupported: "choose another with --key or --prefix"
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
        case .journalFull: step.words(behind: "make room")
        case .versionUnsupported: "update the older of the two programs"
        case .gatewayUntrusted:
            "if its operator has replaced its key, authority or name, make a new home with that --pin, --ca or "
                + "--gateway-name; otherwise another server may pose as the gateway"
        case .notAuthorised:
            "ask the gateway's operator to invite it, to add it with sluice-gateway device add, or to have its "
                + "identity.csr signed"
        case .protocolViolation: "check --gateway: a sluice-gateway has to answer there"
        }
    }
}
