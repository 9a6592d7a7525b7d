import Cryptography
import CryptographySupport
import Foundation
import NIOCore
import SecureChannel
import TestSupport

/// An agent and a gateway that speak TLS over an in-memory wire. Bytes move only when a test carries them.
struct TLSPair {
    /// Returns how many of the remaining bytes arrive in one piece.
    typealias Cut = (_ remaining: Int) -> Int

    let agent: TLSEnd
    let gateway: TLSEnd

    init(agent: TLSContext, gateway: TLSContext, readByThemselves: Bool = true) throws {
        self.agent = try TLSEnd(agent, readsByItself: readByThemselves)
        self.gateway = try TLSEnd(gateway, readsByItself: readByThemselves)
        try self.gateway.connect()
        try self.agent.connect()
    }

    init(readByThemselves: Bool = true, limits: TLSLimits = TLSLimits()) throws {
        try self.init(
            agent: Site.agent(limits: limits), gateway: Site.gateway(limits: limits),
            readByThemselves: readByThemselves)
    }

    /// A pair that has completed its handshake.
    static func connected(readByThemselves: Bool = true, limits: TLSLimits = TLSLimits()) throws -> TLSPair {
        let pair = try TLSPair(readByThemselves: readByThemselves, limits: limits)
        try pair.exchange()
        return pair
    }

    /// Carries bytes in both directions until neither side sends more.
    func exchange(toGateway: Cut = { $0 }, toAgent: Cut = { $0 }) throws {
        while true {
            let isGatewayServed = try carry(from: agent, to: gateway, toGateway)
            let isAgentServed = try carry(from: gateway, to: agent, toAgent)
            agent.run()
            gateway.run()
            guard isGatewayServed || isAgentServed else { return }
        }
    }

    /// Carries the bytes that one end has sent to the other end.
    ///
    /// - Returns: whether there were any bytes.
    @discardableResult
    func carry(from sender: TLSEnd, to receiver: TLSEnd, _ cut: Cut = { $0 }) throws -> Bool {
        var bytes = try sender.takeSent()
        guard bytes.readableBytes > 0 else { return false }
        while bytes.readableBytes > 0 {
            let byteCount = max(1, cut(bytes.readableBytes))
            guard let piece = bytes.readSlice(length: byteCount) else { break }
            try receiver.receive(piece)
        }
        return true
    }
}

/// Identities of a gateway, a device and a foreign party, and TLS contexts of the gateway and the device.
enum Site {
    static let gatewayIdentity = Result { try makeIdentity("gateway") }
    static let deviceIdentity = Result { try makeIdentity("device") }
    static let foreignIdentity = Result { try makeIdentity("foreign") }

    static func gateway(
        limits: TLSLimits = TLSLimits(), accepts: @escaping @Sendable (TLSPeer) -> Bool = { _ in true }
    ) throws -> TLSContext {
        try .gateway(identity: gatewayIdentity.get(), devices: .pinnedKeys(accepts: accepts), limits: limits)
    }

    static func agent(limits: TLSLimits = TLSLimits()) throws -> TLSContext {
        try .agent(
            identity: deviceIdentity.get(), gateway: .pinnedKeys([gatewayIdentity.get().fingerprint]), limits: limits)
    }

    static func makeIdentity(_ name: String) throws -> Identity {
        let directory = FileManager.default.temporaryDirectory.appending(path: "sluice-identity-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
        defer {
            // A directory that cannot be removed does not affect the test.
            try? FileManager.default.removeItem(at: directory)
        }
        return try Identity.create(in: directory.path(percentEncoded: false), name: name)
    }
}

/// Pseudo-random bytes that the seed determines.
func seededBytes(_ seed: UInt64, count: Int) -> ByteBuffer {
    ByteBuffer(bytes: SeededFile(seed: seed, byteCount: count).bytes)
}
