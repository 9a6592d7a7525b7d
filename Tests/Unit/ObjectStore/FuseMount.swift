import Foundation
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A file system in user space with one empty directory. It ends when it is unmounted.
struct FuseMount {
    let path: String

    /// Mounts the file system; `nil` if the tests may not mount, or if the kernel has no FUSE.
    init?(at path: String) {
        let device = Glibc.open("/dev/fuse", O_RDWR | O_CLOEXEC)
        guard device >= 0 else { return nil }
        let options = "fd=\(device),rootmode=40000,user_id=\(getuid()),group_id=\(getgid())"
        guard mount("sluice-test", path, "fuse", UInt(MS_NOSUID | MS_NODEV), options) == 0 else {
            close(device)
            return nil
        }
        self.path = path
        let thread = Thread { Self.serve(device) }
        thread.start()
    }

    func unmount() {
        #expect(umount2(path, CInt(MNT_DETACH)) == 0)
    }

    /// Answers the kernel's requests (`linux/fuse.h`) until the file system is unmounted.
    private static func serve(_ device: CInt) {
        defer { close(device) }
        var request = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = read(device, &request, request.count)
            if count < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT) { continue }
            guard count >= 40 else { return }
            let opcode = number(UInt32.self, in: request, at: 4)
            let body = answer(to: opcode)
            // FORGET, BATCH_FORGET and INTERRUPT have no answer.
            if [2, 36, 42].contains(opcode) { continue }
            var reply: [UInt8] = []
            append(UInt32(16 + (body?.count ?? 0)), to: &reply)
            append(body == nil ? -ENOSYS : 0, to: &reply)
            reply += request[8..<16]
            reply += body ?? []
            _ = write(device, reply, reply.count)
        }
    }

    /// The body of an answer; `nil` for an operation that this file system does not support.
    private static func answer(to opcode: UInt32) -> [UInt8]? {
        switch opcode {
        case 26:  // INIT: version 7.31, and writes of at most 4,096 bytes.
            var body: [UInt8] = []
            for value in [7, 31, 0, 0, 0, 4096] as [UInt32] { append(value, to: &body) }
            return body + [UInt8](repeating: 0, count: 64 - body.count)
        case 3:  // GETATTR: the root, a directory.
            var body = [UInt8](repeating: 0, count: 16)
            append(UInt64(1), to: &body)
            body += [UInt8](repeating: 0, count: 52)
            append(UInt32(S_IFDIR | 0o755), to: &body)
            append(UInt32(2), to: &body)
            return body + [UInt8](repeating: 0, count: 104 - body.count)
        case 27: return [UInt8](repeating: 0, count: 16)  // OPENDIR
        case 29: return []  // RELEASEDIR
        case 17: return [UInt8](repeating: 0, count: 80)  // STATFS
        default: return nil
        }
    }

    private static func append<Number: FixedWidthInteger>(_ number: Number, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: number) { bytes += $0 }
    }

    private static func number<Number: FixedWidthInteger>(
        _: Number.Type, in bytes: [UInt8], at offset: Int
    ) -> Number {
        bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Number.self) }
    }
}
