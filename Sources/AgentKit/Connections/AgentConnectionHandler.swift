import Cryptography
import NIOCore
import SecureChannel
import TransferCore
import WireProtocol

/// Decodes the bytes of one connection of the agent into frames for the shell.
final class AgentConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let shell: AgentShell
    private let id: ConnectionID
    private var decoder = FrameDecoder(receiver: .agent)
    private var isEnded = false
    private let certificates: TLSHandler?

    /// - Parameter certificates: the connection's TLS handler if the gateway's certificates are kept; else `nil`.
    init(shell: AgentShell, id: ConnectionID, keepingCertificatesOf certificates: TLSHandler?) {
        self.shell = shell
        self.id = id
        self.certificates = certificates
    }

    func channelInactive(context: ChannelHandlerContext) {
        isEnded = true
        shell.assumeIsolated { [id] in $0.connectionLost(id) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isEnded else { return }
        decoder.append(unwrapInboundIn(data))
        do throws(WireError) {
            while !isEnded, let inbound = try decoder.next() {
                // Every item is a complete frame: only PART DATA comes in pieces, and the decoder refuses PART DATA
                // from a gateway.
                guard case .frame(let slot, let frame) = inbound else { continue }
                shell.assumeIsolated { [id] in $0.receivedFrame(frame, slot: slot, from: id) }
            }
        } catch {
            isEnded = true
            shell.assumeIsolated { [id] in
                $0.handle(.receivedMalformed(error.code, message: error.description, from: id))
            }
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let completed = event as? TLSHandshakeCompleted {
            let gateway = GatewayProof(
                fingerprint: completed.peer.fingerprint.digest, certificates: certificates?.peerCertificates ?? [])
            shell.assumeIsolated { [id] in $0.handle(.connected(id, by: gateway)) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Leave the channel open after a TLS error: the TLS handler first sends the gateway an alert with the reason,
        // and then closes the channel.
        guard let error = error as? TLSError else { return context.close(promise: nil) }
        shell.assumeIsolated { [id] in $0.receivedTLSError(error, from: id) }
    }
}
