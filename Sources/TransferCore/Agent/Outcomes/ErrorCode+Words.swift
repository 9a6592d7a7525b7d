package import WireProtocol

extension ErrorCode {
    /// The code in words: why something waits or has ended.
    package var words: String {
        switch self {
        case .storeUnavailable: "the store is not available"
        case .storeFull: "the store is full"
        case .busy: "the gateway has no room for it now"
        case .draining: "the gateway is being stopped"
        case .invitationInvalid: "the invitation is unknown, used or expired"
        case .versionUnsupported: "the gateway speaks another version of the protocol"
        case .notAuthorised: "the gateway does not know this device"
        case .fenced: "another agent with this device's identity has taken over"
        case .tooManyConnections: "the gateway has as many connections as it may have"
        case .idle: "the gateway has heard nothing for too long"
        case .tokenInvalid: "the gateway did not issue what this device's journal has of the upload"
        case .tokenForeign: "the name or the prefix of this device has changed"
        case .tokenKeyUnknown: "this gateway cannot read what another gateway has issued yet"
        case .sessionLost: "the store no longer has what was sent"
        case .rootMismatch: "the digests of what was sent do not agree"
        case .listInvalid: "the list of the parts does not agree with the store"
        case .outcomeUnknown: "it is not known whether the store has finished the object"
        case .storeRefuses: "the store refuses the gateway's credentials or rights"
        case .bucketMissing: "the gateway's bucket or directory is missing"
        case .digestMismatch: "the content has changed on its way"
        case .partInterrupted: "the transfer of a part was cut"
        case .internal: "the gateway had an internal error, which is in its log"
        default: name.split(separator: "_").joined(separator: " ")
        }
    }
}
