import CryptographySupport
import Foundation
import SeededRandom
import SystemSupport
import TestSupport
import Testing

@Suite struct AtomicFileTests {
    private static let old = Array("old content".utf8)
    private static let new = Array("new".utf8)

    @Test func theFileHoldsWhatWasWrittenLast() async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let path = directory.file("list")
            try AtomicFile.write(Self.old, to: path, mode: .ownerOnly)
            #expect(try contents(of: path) == Self.old)
            try AtomicFile.write(Self.new, to: path, mode: .ownerOnly)
            #expect(try contents(of: path) == Self.new)
            try AtomicFile.write([], to: path, mode: .ownerOnly)
            #expect(try contents(of: path) == [])
            #expect(try directory.names() == ["list"])
        }
    }

    @Test func manyBytesAreWrittenWhole() async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            var generator = SeededGenerator(seed: 3)
            let bytes = generator.bytes(count: 1_000_000)
            try AtomicFile.write(bytes, to: directory.file("list"), mode: .ownerOnly)
            #expect(try contents(of: directory.file("list")) == bytes)
        }
    }

    @Test(arguments: [AtomicFile.Mode.ownerOnly, .ownerWritesGroupReads, .ownerWritesAllRead])
    func theModeIsTheOneAskedFor(mode asked: AtomicFile.Mode) async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let path = directory.file("list")
            try write("old", to: path)
            try setMode(0o666, of: path)
            try AtomicFile.write(Self.new, to: path, mode: asked)
            #expect(try mode(of: path) == Int(asked.rawValue))
        }
    }

    @Test func temporaryNameCollisionChangesNothing() async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let path = directory.file("list")
            try AtomicFile.write(Self.old, to: path, mode: .ownerOnly)
            try write("foreign", to: directory.file("taken"))
            let call = FileCall(.createFile, directory.file("taken"))
            #expect(throws: FileError(path: path, cause: .system(call, errno: EEXIST))) {
                try AtomicFile.write(Self.new, to: path, mode: .ownerOnly, temporaryName: "taken", mayReplace: true)
            }
            #expect(try contents(of: path) == Self.old)
            #expect(try contents(of: directory.file("taken")) == Array("foreign".utf8))
        }
    }

    /// The test limits the files of this process to four bytes. The first write is therefore short, and the next one
    /// fails.
    @Test func failedWriteKeepsTheOldContent() async {
        await #expect(processExitsWith: .success) {
            try await withTemporaryDirectory("secure-channel") { directory in
                let path = directory.file("list")
                try AtomicFile.write(Array("old content".utf8), to: path, mode: .ownerOnly)
                signal(SIGXFSZ, SIG_IGN)
                var limit = rlimit(rlim_cur: 4, rlim_max: 4)
                try #require(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
                let failure: FileError?
                do throws(FileError) {
                    try AtomicFile.write(Array("newer content".utf8), to: path, mode: .ownerOnly)
                    failure = nil
                } catch {
                    failure = error
                }
                try #require(failure?.path == path)
                try #require(failure?.call?.operation == .write)
                try #require(failure?.code == EFBIG)
                try #require(try contents(of: path) == Array("old content".utf8))
                try #require(try directory.names() == ["list"])
            }
        }
    }

    @Test func theUmaskDoesNotNarrowTheMode() async {
        await #expect(processExitsWith: .success) {
            try await withTemporaryDirectory("secure-channel") { directory in
                umask(0o777)
                try AtomicFile.write([1], to: directory.file("list"), mode: .ownerWritesAllRead)
                try #require(try mode(of: directory.file("list")) == 0o644)
            }
        }
    }

    @Test func bareNameIsInTheWorkingDirectory() async {
        await #expect(processExitsWith: .success) {
            try await withTemporaryDirectory("secure-channel") { directory in
                try #require(chdir(directory.directoryPath) == 0)
                try AtomicFile.write([1], to: "list", mode: .ownerOnly)
                try #require(try directory.names() == ["list"])
            }
        }
    }

    @Test func failedReplacementLeavesNothing() async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let path = directory.file("list")
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
            let error = #expect(throws: FileError.self) {
                try AtomicFile.write(Self.new, to: path, mode: .ownerOnly)
            }
            #expect(error?.path == path)
            #expect(error?.call?.operation == .rename)
            #expect(error?.code == EISDIR)
            #expect(try directory.names() == ["list"])
        }
    }

    @Test func aMissingDirectoryIsAnError() async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let path = directory.file("missing/list")
            let call = FileCall(.openFolder, directory.file("missing"))
            #expect(throws: FileError(path: path, cause: .system(call, errno: ENOENT))) {
                try AtomicFile.write(Self.new, to: path, mode: .ownerOnly)
            }
        }
    }

    @Test func longestNameCanBeWritten() async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let name = String(repeating: "n", count: 255)
            try AtomicFile.write(Self.new, to: directory.file(name), mode: .ownerOnly)
            #expect(try directory.names() == [name])
        }
    }

    @Test func aNewFileReplacesNothing() async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let path = directory.file("list")
            try AtomicFile.writeNew(Self.old, to: path, mode: .ownerWritesAllRead)
            #expect(try mode(of: path) == 0o644)
            let error = #expect(throws: FileError.self) {
                try AtomicFile.writeNew(Self.new, to: path, mode: .ownerOnly)
            }
            #expect(error?.isExisting == true)
            #expect(try contents(of: path) == Self.old)
            #expect(try directory.names() == ["list"])
        }
    }

    @Test func aSymbolicLinkIsItselfReplaced() async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            try write("elsewhere", to: directory.file("target"))
            try FileManager.default.createSymbolicLink(
                atPath: directory.file("list"), withDestinationPath: directory.file("target"))
            try AtomicFile.write(Self.new, to: directory.file("list"), mode: .ownerOnly)
            #expect(try contents(of: directory.file("target")) == Array("elsewhere".utf8))
            #expect(try contents(of: directory.file("list")) == Self.new)
        }
    }

    @Test(.enabled(if: geteuid() == 0, "Only the superuser can give files away."))
    func aReplacedFileKeepsItsOwner() async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let path = directory.file("list")
            try AtomicFile.write(Self.old, to: path, mode: .ownerOnly)
            try #require(chown(path, 12_345, 23_456) == 0)
            try AtomicFile.write(Self.new, to: path, mode: .ownerWritesGroupReads)
            var status = stat()
            try #require(stat(path, &status) == 0)
            #expect(status.st_uid == 12_345)
            #expect(status.st_gid == 23_456)
            #expect(status.st_mode & 0o777 == 0o640)
        }
    }

    @Test func readersSeeOldOrNewContent() async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let path = directory.file("list")
            let contents = [[UInt8](repeating: 1, count: 50_000), [UInt8](repeating: 2, count: 70_000)]
            try AtomicFile.write(contents[0], to: path, mode: .ownerOnly)
            try await withThrowingTaskGroup { group in
                group.addTask {
                    for round in 1...40 { try AtomicFile.write(contents[round % 2], to: path, mode: .ownerOnly) }
                }
                for _ in 0..<200 {
                    let seen = try BoundedFile.read(path, bytesMax: 100_000, access: .ownerOnly)
                    #expect(seen == contents[0] || seen == contents[1])
                }
                try await group.waitForAll()
            }
        }
    }
}
