/// A protocol other than Sluice's, by the first bytes that a peer has sent on plain TCP. Without it, an operator would
/// read which rule of Sluice's protocol the bytes of the other one happen to violate.
package enum ForeignProtocol: Equatable, Sendable {
    case tls
    case http
    case ssh

    /// How many bytes are enough to tell the protocols apart.
    package static let bytesMax = 4

    /// - Parameter bytes: the first bytes on the connection.
    /// - Returns: `nil` if they belong to none of these protocols.
    package init?(_ bytes: some Collection<UInt8>) {
        // A record of TLS begins with the type of a handshake and the major version.
        if bytes.starts(with: [0x16, 0x03]) {
            self = .tls
        } else if bytes.starts(with: "SSH-".utf8) {
            self = .ssh
        } else if Self.httpMethods.contains(where: { bytes.starts(with: $0.utf8) }) {
            self = .http
        } else {
            return nil
        }
    }

    private static let httpMethods = ["GET ", "HEAD", "POST", "PUT ", "OPTI", "CONN", "PRI "]

    /// What the operator learns about the peer.
    package var sentence: String {
        switch self {
        case .tls: "the peer speaks TLS and this gateway does not; leave out --plaintext here, or add it at the agent"
        case .http: "the peer speaks HTTP, so it is no agent"
        case .ssh: "the peer speaks SSH, so it is no agent"
        }
    }
}
