package import TransferCommon
package import TransferCore
import WireProtocol

/// A file of the virtual device.
package final class VirtualFile {
    package private(set) var bytes: [UInt8] { didSet { versions.append(ToyDigest.sha256(bytes)) } }
    package private(set) var stamp: FileStamp
    /// The digests of every content that it has had, in order; what is read is one of these, or a mixture.
    package private(set) var versions: [SHA256Digest]
    /// Nobody finds it.
    package var isMissing = false

    package init(bytes: [UInt8], inode: UInt64, seconds: Int64 = 1_000, nanoseconds: UInt32 = 0) {
        self.bytes = bytes
        self.versions = [ToyDigest.sha256(bytes)]
        let time = ModificationTime(seconds: seconds, nanoseconds: nanoseconds)
        self.stamp = FileStamp(
            device: 1, inode: inode, size: UInt64(bytes.count), modification: time, change: time)
    }

    /// Another content, with new times.
    package func rewrite(_ bytes: [UInt8]) {
        self.bytes = bytes
        stamp.size = UInt64(bytes.count)
        touchModificationTime()
    }

    /// Another content of the same size, after which a program set the modification time back.
    package func rewriteKeepingTime(_ bytes: [UInt8]) {
        self.bytes = bytes
        touchChangeTime()
    }

    /// Another file by the same name: a rename over it.
    package func replace(_ bytes: [UInt8], inode: UInt64) {
        rewrite(bytes)
        stamp.inode = inode
    }

    /// The device's clock was set: the next modification has this time.
    package func setClock(seconds: Int64) {
        stamp.modification = ModificationTime(seconds: seconds, nanoseconds: 0)
        touchChangeTime()
    }

    /// Another content behind the back of the file's times, as a clock of coarse ticks allows.
    package func corrupt(at index: Int) {
        bytes[index] ^= 0xFF
    }

    /// A rename, a new link, another mode.
    package func touchChangeTime() {
        stamp.change = ModificationTime(seconds: stamp.change.seconds &+ 1, nanoseconds: 0)
    }

    /// `touch`: the same content with new times.
    package func touchModificationTime() {
        stamp.modification = ModificationTime(seconds: stamp.modification.seconds &+ 1, nanoseconds: 0)
        touchChangeTime()
    }

    /// The bytes of a part; `nil` where the file ends before.
    package func read(start: UInt64, count: UInt64) -> [UInt8]? {
        guard start + count <= UInt64(bytes.count) else { return nil }
        return Array(bytes[Int(start)..<Int(start + count)])
    }
}
