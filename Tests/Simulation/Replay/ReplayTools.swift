import Cryptography
import Foundation
import GatewayKit
import NIOCore
import RepositoryFiles
import SecureChannel
import SystemSupport
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Why a replay stopped: the number of the line, counted from the first line below the heading, and the difference.
struct ReplayFailure: Error, CustomStringConvertible {
    let line: Int
    let reason: String

    var description: String { "line \(line): \(reason)" }
}

/// OpenSSL digests for the simulation.
struct RealDigests: ContentDigesting {
    func sha256(_ bytes: [UInt8]) -> SHA256Digest? {
        // Hashing fails only if OpenSSL is broken. Then no compared digest is equal, and the replay fails.
        try? SHA256Digest.of(bytes)
    }

    func md5(_ bytes: [UInt8]) -> MD5Digest? {
        // Creating the hasher fails only if OpenSSL is broken.
        guard var hasher = try? MD5Hasher() else { return nil }
        bytes.withUnsafeBytes { hasher.update($0) }
        // Finishing the digest fails only if OpenSSL is broken.
        return try? hasher.finalize()
    }
}

/// Values that `Protocol/vectors` fixes for all conversations (specification §14.1).
enum ReplaySite {
    /// The wall clock at the beginning of a conversation.
    static let wallMilliseconds: Int64 = 1_767_225_600_000
    static let prefix = "site-a/"
    static let deviceName = "camera-7"

    /// The key with which the gateway's machine signs receipts. It may differ from the key in the vectors, because a
    /// receipt is verified with the key that WELCOME names.
    private static let identity: Result<Identity, any Error> = Result {
        let files = FileManager.default
        let folder = files.temporaryDirectory.appending(path: "replay-\(UUID())").path(percentEncoded: false)
        try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
        // A directory that cannot be removed does not affect the test.
        defer { try? files.removeItem(atPath: folder) }
        return try Identity.create(in: folder, name: "site")
    }

    /// Cryptography with the sealing key in `token.txt`.
    static func cryptography() throws -> SiteCryptography {
        let token = try values(of: "token.txt")
        guard let id = token["sealingKeyID"].flatMap({ UInt32($0) }),
            let secret = token["sealingKey"].flatMap({ bytesOfHexadecimal($0) })
        else { throw ReplayFailure(line: 0, reason: "token.txt has no key") }
        return try SiteCryptography(
            keys: try KeyRing(keys: [.init(id: KeyRing.KeyID(value: id), state: .sealing, secret: secret)]),
            identity: try identity.get())
    }

    /// The fingerprint of the device, from HELLO in the first conversation.
    static func fingerprint() throws -> SHA256Digest {
        for case .frame(let line) in try Conversation.all().first?.lines ?? [] {
            if case .frame(_, .hello(let hello)) = try line.content() { return hello.fingerprint }
        }
        throw ReplayFailure(line: 0, reason: "the first conversation has no HELLO")
    }

    /// The content of a device's file; for a stream, its first `size` bytes.
    static func content(key: String, size: UInt64) -> [UInt8] {
        switch (key, size) {
        case ("camera/1.bin", 10): Array("edge bytes".utf8)
        case ("camera/2.bin", 10): Array("more bytes".utf8)
        case (_, 64): Array(repeating: UInt8(ascii: "a"), count: 64)
        default: (0..<size).map { UInt8(truncatingIfNeeded: 0x41 + $0) }
        }
    }

    private static func values(of file: String) throws -> [String: String] {
        let text = try RepositoryFiles.text(of: "Protocol/vectors/\(file)")
        let pairs = text.split(separator: "\n").filter { !$0.hasPrefix("#") }.compactMap { line -> (String, String)? in
            guard let bar = line.firstRange(of: " | ") else { return nil }
            return (String(line[..<bar.lowerBound]), String(line[bar.upperBound...]))
        }
        return Dictionary(pairs) { first, _ in first }
    }
}

/// A decoded frame of a conversation.
enum LineContent {
    case frame(Slot, Frame)
    /// PART DATA with its plain bytes; `nil` if the block cannot be decoded.
    case data(Slot, PartDataHeader, plain: [UInt8]?)
}

extension Conversation.FrameLine {
    /// Decodes the bytes of the line.
    func content() throws -> LineContent {
        var decoder = FrameDecoder(receiver: receiver)
        decoder.append(ByteBuffer(bytes: bytes))
        var data: (slot: Slot, header: PartDataHeader)?
        var payload: [UInt8] = []
        while let inbound = try decoder.next() {
            switch inbound {
            case .frame(let slot, let frame): return .frame(slot, frame)
            case .dataBegan(let slot, let header): data = (slot, header)
            case .dataBytes(let piece): payload += piece.readableBytesView
            case .dataEnded: break
            }
        }
        guard let data else { throw ReplayFailure(line: 0, reason: "\(type) is not a complete frame") }
        let plain = data.header.isCompressed ? plainBytes(payload, Int(data.header.plainBytes)) : payload
        return .data(data.slot, data.header, plain: plain)
    }
}

/// The plain bytes of an LZ4 block; `nil` if the block does not decode to exactly `count` bytes.
func plainBytes(_ block: [UInt8], _ count: Int) -> [UInt8]? {
    // The replay does not need the reason of a failure.
    (try? LZ4Block.decompress(ByteBuffer(bytes: block), plainByteCount: count)).map { Array($0.readableBytesView) }
}

extension SiteCryptography {
    /// The session in a token.
    func session(of token: [UInt8]) -> SessionToken? {
        guard case .opened(let plain) = open(token: token) else { return nil }
        return SessionToken(encoded: plain)
    }
}

extension Frame {
    /// The part that the frame is about; `nil` for a frame about a session or a connection.
    var part: PartNumber? {
        switch self {
        case .partOffer(let offer): offer.part
        case .partDecision(let decision): decision.part
        case .received(let received): received.part
        case .stored(let stored): stored.part
        case .error(let report): if case .part(let part) = report.scope { part } else { nil }
        default: nil
        }
    }

    /// The frame's token, if it has one.
    var token: [UInt8]? {
        switch self {
        case .sessionOpened(let opened): opened.token
        case .resumeState(let state): state.token
        case .resumeQuery(let query): query.token
        case .abort(let abort): abort.token
        default: nil
        }
    }
}
