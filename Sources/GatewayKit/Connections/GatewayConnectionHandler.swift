import Cryptography
import NIOCore
import SecureChannel
import SystemSupport
import TransferCore
import WireProtocol

/// Decodes the bytes of one connection into frames for the shell, and passes payload to the flow (`PartFlow`) that the
/// shell names.
final class GatewayConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private enum Payload {
        case discard
        /// Uncompressed bytes for the flow, except the first `skip` bytes, which the flow has already.
        case plain(FlowID, skip: UInt64)
        /// One LZ4 block. It is collected, because only a complete block can be decoded.
        case compressed(FlowID, skip: UInt64, plainBytes: Int, block: ByteBuffer)
    }

    private let shell: GatewayShell
    private let provenKey: Fingerprint?
    private let shown: ShownIdentity
    private let address: PeerAddress
    private var id: ConnectionID?
    private var peer: TLSPeer?
    /// This connection's entry in the limiter of unauthenticated connections; `nil` once the limiter no longer counts
    /// it.
    private var unauthenticatedPeer: PreAuthenticationLimiter.Peer?
    /// The first bytes of a peer on plain TCP, for `ForeignProtocol`.
    private var firstBytes: [UInt8] = []
    private var decoder = FrameDecoder(receiver: .gateway)
    private var payload = Payload.discard
    private var isEnded = false
    /// Whether reading is paused because the device has exceeded its frame rate. Received bytes wait.
    private var isPaused = false

    /// - Parameters:
    ///   - provenKey: the gateway's key that the handshake proves; `nil` for plain TCP.
    ///   - shown: the certificates that the gateway presents on new connections.
    init(
        shell: GatewayShell, provenKey: Fingerprint?, shown: ShownIdentity, address: PeerAddress
    ) {
        self.shell = shell
        self.address = address
        self.provenKey = provenKey
        self.shown = shown
        decoder.bodyBytesMax = WireLimits.bodyBytesBeforeHelloMax
    }

    func channelActive(context: ChannelHandlerContext) {
        let channel = context.channel
        let address = address.address(of: channel)
        unauthenticatedPeer = shell.assumeIsolated { $0.unauthenticatedPeerConnected(channel, from: address) }
        if provenKey == nil { begin(context.channel) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let completed = event as? TLSHandshakeCompleted {
            peer = completed.peer
            begin(context.channel)
        }
        context.fireUserInboundEventTriggered(event)
    }

    /// Starts to accept frames from the peer. If the gateway's key has changed during the handshake, the device has
    /// seen the old key: the gateway then closes the connection, and the device sees the new key when it connects
    /// again.
    private func begin(_ channel: any Channel) {
        guard provenKey == shown.now?.fingerprint else { return channel.close(promise: nil) }
        let address = address.address(of: channel)
        id = shell.assumeIsolated { [peer] in $0.accepted(channel, peer: peer, from: address) }
    }

    private func leavePreAuthentication() {
        guard let unauthenticatedPeer else { return }
        self.unauthenticatedPeer = nil
        shell.assumeIsolated { $0.unauthenticatedPeerLeft(unauthenticatedPeer) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        isEnded = true
        leavePreAuthentication()
        guard let id else { return }
        shell.assumeIsolated { $0.connectionLost(id) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let id, !isEnded else { return }
        let bytes = unwrapInboundIn(data)
        shell.assumeIsolated { $0.heard(bytes.readableBytes, from: id) }
        if provenKey == nil, firstBytes.count < ForeignProtocol.bytesMax {
            firstBytes += bytes.readableBytesView.prefix(ForeignProtocol.bytesMax - firstBytes.count)
        }
        decoder.append(bytes)
        receiveWhatArrived(id, context.channel)
    }

    private func receiveWhatArrived(_ id: ConnectionID, _ channel: any Channel) {
        do throws(WireError) {
            while !isEnded, !isPaused, let inbound = try decoder.next() {
                receive(inbound, id: id, channel)
                if inbound.beginsFrame, let pause = shell.assumeIsolated({ $0.pauseAfterFrame(from: id) }) {
                    pauseReading(for: pause, id, channel)
                }
            }
        } catch {
            isEnded = true
            let message = ForeignProtocol(firstBytes)?.sentence ?? error.description
            shell.assumeIsolated { $0.receivedMalformed(error.code, message: message, from: id) }
        }
    }

    /// Stops reading from a peer that does not read the gateway's answers. Otherwise the unsent answers would grow
    /// without bound.
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        readIfWanted(context.channel)
    }

    /// Raises the limit on the bytes of one read. Called once the device is authenticated.
    private func readMoreAtOnce(_ channel: any Channel) {
        let readBytes = shell.assumeIsolated { $0.machine.limits.readBytes }
        channel.setOption(.recvAllocator, value: BoundedReads(bytesMax: readBytes))
            .whenFailure { _ in channel.close(promise: nil) }
    }

    private func readIfWanted(_ channel: any Channel) {
        let isWanted = channel.isWritable && !isPaused
        channel.setOption(.autoRead, value: isWanted).whenFailure { _ in channel.close(promise: nil) }
        // The option `autoRead` only makes the channel check its socket. TLS may hold bytes that it has already read
        // from the socket, and it delivers them only when `read` is called.
        if isWanted { channel.read() }
    }

    /// Stops reading for a while. Received bytes stay in the decoder. Once the socket's buffer is full, TCP makes the
    /// peer wait.
    private func pauseReading(for pause: Duration, _ id: ConnectionID, _ channel: any Channel) {
        isPaused = true
        readIfWanted(channel)
        channel.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(pause)) { [self] in
            isPaused = false
            guard !isEnded else { return }
            receiveWhatArrived(id, channel)
            if !isPaused { readIfWanted(channel) }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Leave the channel open after a TLS error: the TLS handler first sends the peer an alert with the reason, and
        // then closes the channel.
        guard let error = error as? TLSError else { return context.close(promise: nil) }
        let address = address.address(of: context.channel)
        shell.assumeIsolated { $0.log.tlsFailed(error, address: address, now: $0.now) }
    }

    private func receive(_ inbound: Inbound, id: ConnectionID, _ channel: any Channel) {
        switch inbound {
        case .frame(let slot, let frame):
            if let refusal = refusal(of: frame) {
                isEnded = true
                let message = "\(frame.type) names a key that the transport has not proved"
                return shell.assumeIsolated { $0.receivedMalformed(refusal, message: message, from: id) }
            }
            let told = named(frame)
            shell.assumeIsolated { $0.receivedFrame(told, slot: slot, from: id) }
            if unauthenticatedPeer != nil, shell.assumeIsolated({ $0.machine.isOpen(id) }) {
                leavePreAuthentication()
                decoder.bodyBytesMax = nil
                readMoreAtOnce(channel)
            }
        case .dataBegan(let slot, let header):
            begin(header, verdict: shell.assumeIsolated { $0.receivedData(header, slot: slot, from: id) })
        case .dataBytes(let bytes):
            receive(bytes, id: id)
        case .dataEnded:
            end(id: id)
        }
    }

    /// Replaces the fingerprint in the HELLO of a device with a certificate by the identity that belongs to the name in
    /// the certificate.
    private func named(_ frame: Frame) -> Frame {
        guard case .hello(var hello) = frame, let peer else { return frame }
        hello.fingerprint = CertifiedDevices.identity(of: peer)
        return .hello(hello)
    }

    /// The error code for a frame that the transport does not allow: HELLO or ENROL with another key than the handshake
    /// proved, or ENROL on a connection that proved no key. `nil` for every other frame.
    private func refusal(of frame: Frame) -> ErrorCode? {
        switch frame {
        case .hello(let hello): peer.map { $0.fingerprint.digest != hello.fingerprint } == true ? .notAuthorised : nil
        case .enrol where peer == nil: .unexpectedFrame
        case .enrol(let enrol): enrol.fingerprint != peer?.fingerprint.digest ? .notAuthorised : nil
        default: nil
        }
    }

    private func begin(_ header: PartDataHeader, verdict: OnPartData) {
        switch verdict {
        case .discard:
            payload = .discard
        case .violation:
            payload = .discard
            isEnded = true
        case .accept(let flow, let skip):
            payload =
                header.isCompressed
                ? .compressed(flow, skip: skip, plainBytes: Int(header.plainBytes), block: ByteBuffer())
                : .plain(flow, skip: skip)
        }
    }

    private func receive(_ bytes: ByteBuffer, id: ConnectionID) {
        switch payload {
        case .discard:
            break
        case .plain(let flow, let skip):
            var wanted = bytes
            let skipped = min(skip, UInt64(bytes.readableBytes))
            wanted.moveReaderIndex(forwardBy: Int(skipped))
            payload = .plain(flow, skip: skip - skipped)
            deliver(wanted, flow: flow, id: id)
        case .compressed(let flow, let skip, let plainBytes, var block):
            payload = .discard  // Makes `block` unshared, so that appending does not copy it.
            block.writeImmutableBuffer(bytes)
            payload = .compressed(flow, skip: skip, plainBytes: plainBytes, block: block)
        }
    }

    private func end(id: ConnectionID) {
        defer { payload = .discard }
        guard case .compressed(let flow, let skip, let plainBytes, let block) = payload else { return }
        do throws(LZ4Error) {
            var plain = try LZ4Block.decompress(block, plainByteCount: plainBytes)
            plain.moveReaderIndex(forwardBy: Int(min(skip, UInt64(plain.readableBytes))))
            deliver(plain, flow: flow, id: id)
        } catch {
            isEnded = true
            let message = "PART DATA holds no block of \(plainBytes) plain bytes"
            shell.assumeIsolated { $0.receivedMalformed(.badCompression, message: message, from: id) }
        }
    }

    private func deliver(_ bytes: ByteBuffer, flow: FlowID, id: ConnectionID) {
        guard bytes.readableBytes > 0 else { return }
        if !shell.assumeIsolated({ $0.receivedBytes(bytes, flow: flow, from: id) }) { payload = .discard }
    }
}

extension Inbound {
    fileprivate var beginsFrame: Bool {
        switch self {
        case .frame, .dataBegan: true
        case .dataBytes, .dataEnded: false
        }
    }
}
