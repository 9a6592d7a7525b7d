import Cryptography
import GatewayKit
import Logging
import NIOCore
import SecureChannel
import TestSupport
import Testing
import TransferCommon
import TransferCore
import WireProtocol

/// What peers can cause in the gateway's log.
@Suite struct PeerLinesTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    @Test(arguments: PeerLines.Kind.allCases)
    func eachKindHasABurstOfItsOwn(kind: PeerLines.Kind) {
        var lines = PeerLines()
        for other in PeerLines.Kind.allCases where other != kind {
            for _ in 0..<10_000 { _ = lines.line(about: other, now: start) }
        }
        let written = (0..<10_000).count { _ in lines.line(about: kind, now: start) != .leaveOut }
        #expect(written == (kind == .devices ? 200 : 20))
    }

    @Test func theNumberOfLinesLeftOutIsToldOnce() {
        var lines = PeerLines()
        for _ in 0..<50 { _ = lines.line(about: .handshakes, now: start) }
        #expect(lines.takeOverdue(now: start) == [], "there is no token yet")
        let overdue = lines.takeOverdue(now: start + .seconds(6))
        #expect(overdue.map(\.kind) == [.handshakes] && overdue.map(\.count) == [30])
        #expect(lines.takeOverdue(now: start + .seconds(60)) == [])
        for _ in 0..<50 { _ = lines.line(about: .handshakes, now: start + .seconds(60)) }
        let next = lines.line(about: .handshakes, now: start + .seconds(70))
        guard case .write(let leftOut) = next else { return #expect(Bool(false), "\(next)") }
        #expect(leftOut == 41, "9 of 50 lines had a token")
    }

    private func address(_ number: Int) throws -> SocketAddress {
        try SocketAddress(ipAddress: "192.0.2.\(number % 256)", port: 4_711)
    }

    /// 100 bad handshakes a second for 100 seconds.
    @Test func tenThousandBadHandshakesWriteFewLines() throws {
        let written = Watched<[String]>([])
        var logger = LineKeeper.logger(written)
        logger.logLevel = .info
        var log = GatewayLog(logger)
        let key = Fingerprint(try SHA256Digest.of([1]))
        for number in 0..<10_000 {
            let now = start + .milliseconds(10 * Int64(number))
            let error: TLSError =
                number.isMultiple(of: 2)
                ? TLSError(.malformed)
                : TLSError(.unknownDevice(key), shown: .init(fingerprint: key, name: "cam\(number)"))
            log.tlsFailed(error, address: try address(number), now: now)
            if number.isMultiple(of: 100) { log.writeLeftOut(now: now) }
        }
        // Two kinds, each with a burst of 20 and a token every 6 s. A line about lines left out goes with a line.
        #expect(written.current.count <= 2 * 2 * (20 + 100 / 6 + 1), "\(written.current.count)")
        #expect(written.current.contains { $0.hasSuffix("more lines about refused devices were left out ") })
    }

    @Test func refusedDeviceIsNamed() throws {
        let written = Watched<[String]>([])
        var log = GatewayLog(LineKeeper.logger(written))
        let key = Fingerprint(try SHA256Digest.of([1]))
        let shown = TLSError.ShownCertificate(fingerprint: key, name: "cam7", isOutOfDate: true)
        log.tlsFailed(TLSError(.unknownDevice(key), shown: shown), address: try address(7), now: start)
        log.tlsFailed(TLSError(.untrustedCertificate, shown: shown), address: try address(8), now: start)
        log.tlsFailed(TLSError(.malformed), address: try address(9), now: start)
        #expect(written.current.count == 2, "a port scan is no notice")
        for (line, address) in zip(written.current, ["192.0.2.7", "192.0.2.8"]) {
            #expect(line.hasPrefix("Refused a device "), "\(line)")
            for part in ["address: \(address)", "fingerprint: \(key)", "certificate: cam7"] {
                #expect(line.contains(part), "\(line)")
            }
        }
        #expect(written.current.last?.contains("out of date") == true)
    }

    /// After the handshake: a device that was revoked meanwhile, and a wrong invitation.
    @Test(arguments: [GatewayNote.refusedKey, .wrongInvitation])
    func refusalAfterTheHandshakeIsNamed(note: GatewayNote) throws {
        let written = Watched<[String]>([])
        var log = GatewayLog(LineKeeper.logger(written))
        let key = Fingerprint(try SHA256Digest.of([1]))
        let id = ConnectionID(3)
        log.accepted(id, LoggedPeer(try address(7), TLSPeer(fingerprint: key, name: nil)))
        // The connection may be lost before the note is written.
        log.lost(id)
        log.write(note, now: start)
        log.forgetLostPeers()
        let line = try #require(written.current.first)
        #expect(line.hasPrefix("Refused a device "), "\(line)")
        #expect(line.contains("address: 192.0.2.7") && line.contains("fingerprint: \(key)"), "\(line)")
    }

    /// One-part files end with the same notes as others, so they get the same lines.
    @Test func completedObjectIsNamed() {
        let written = Watched<[String]>([])
        var logger = LineKeeper.logger(written)
        logger.logLevel = .info
        var log = GatewayLog(logger)
        let session = SessionID(high: 0, low: 7)
        log.write(.completed(session, device: "cam1", key: "cam1/a", bytes: 400), now: start)
        log.write(.failed(session, device: "cam1", key: "cam1/a", .keyTaken, message: "taken"), now: start)
        #expect(
            written.current == [
                "Completed an object bytes: 400, device: cam1, key: cam1/a, session: \(session)",
                "Refused a session code: key_taken, device: cam1, key: cam1/a, reason: taken, session: \(session)",
            ])
    }
}

extension GatewayNote {
    fileprivate static let refusedKey = GatewayNote.ended(
        ConnectionID(3), device: "cam1", .notAuthorised, message: "the device is no longer on the list")
    fileprivate static let wrongInvitation = GatewayNote.ended(
        ConnectionID(3), device: nil, .invitationInvalid, message: "the secret is not that of a live invitation")
}
