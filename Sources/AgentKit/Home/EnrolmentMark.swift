import Cryptography
import SystemSupport
import TransferCommon

/// Remembers the invitation that has registered a home. A gateway answers a further invitation of a device that it
/// knows like the first one, and does not use it. With the mark the agent can tell the two cases apart.
struct EnrolmentMark {
    private let path: String

    init(_ home: AgentHome) {
        path = home.path + "/enrolled"
    }

    /// Whether another invitation than this one has registered the home.
    func isOfAnother(_ code: InvitationCode) throws -> Bool {
        let content = try Self.content(code)
        do throws(FileError) {
            return try BoundedFile.read(path, bytesMax: 256, access: .ownerWrites) != content
        } catch {
            return false  // The home was registered before there were marks, or was not registered.
        }
    }

    /// Marks the home as registered by this invitation. The first mark stays, unless another gateway has registered it.
    func set(_ code: InvitationCode, replacing: Bool) throws {
        let content = try Self.content(code)
        if replacing { AtomicFile.remove(path) }
        // try?: without the mark, a further invitation is only reported in other words.
        try? AtomicFile.writeNew(content, to: path, mode: .ownerOnly)
    }

    /// The digest of the secret, which does not reveal the secret.
    private static func content(_ code: InvitationCode) throws -> [UInt8] {
        Array("\(try code.secret.digest())\n".utf8)
    }
}
