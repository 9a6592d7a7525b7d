import CryptographySupport
import Foundation
import Glibc
import SystemSupport
import TestSupport
import Testing

/// Tests of folders that only their owner may enter.
@Suite struct OwnFolderTests {
    @Test func missingFoldersAreMadeForTheOwnerAlone() async {
        await #expect(processExitsWith: .success) {
            try await withTemporaryDirectory { directory in
                umask(0)
                for path in ["home", "a/b/home", "slash/", "c/slash/"] {
                    try OwnFolder.makeOrCheck(directory.file(path))
                    try #require(try mode(of: directory.file(path)) == 0o700, "\(path)")
                    try OwnFolder.makeOrCheck(directory.file(path))
                }
                try #require(try mode(of: directory.file("a/b")) == 0o700)
            }
        }
    }

    @Test(arguments: [0o755, 0o750, 0o775, 0o711])
    func emptyFolderIsClosedToOthers(before: Int) async throws {
        try await withTemporaryDirectory { directory in
            try setMode(before, of: directory.directoryPath)
            try OwnFolder.makeOrCheck(directory.directoryPath)
            #expect(try mode(of: directory.directoryPath) == 0o700)
        }
    }

    /// The top folder of a new file system contains `lost+found`, and still counts as empty.
    @Test func lostAndFoundDoesNotCount() async throws {
        try await withTemporaryDirectory { directory in
            try OwnFolder.makeOrCheck(directory.file("lost+found"))
            try setMode(0o755, of: directory.directoryPath)
            try OwnFolder.makeOrCheck(directory.directoryPath)
            #expect(try mode(of: directory.directoryPath) == 0o700)
        }
    }

    /// The owner may have given other users access to the files on purpose.
    @Test func folderWithFilesIsRefusedAndNotChanged() async throws {
        try await withTemporaryDirectory { directory in
            try write("x", to: directory.file("file"))
            try setMode(0o755, of: directory.directoryPath)
            #expect(throws: FileError(path: directory.directoryPath, cause: .folderOpenToOthers(mode: 0o755))) {
                try OwnFolder.makeOrCheck(directory.directoryPath)
            }
            #expect(try mode(of: directory.directoryPath) == 0o755)
            try setMode(0o700, of: directory.directoryPath)
            try OwnFolder.makeOrCheck(directory.directoryPath)
        }
    }

    /// A folder like `/tmp` belongs to all users, even while it is empty.
    @Test func folderThatEveryoneMayWriteIsRefused() async throws {
        try await withTemporaryDirectory { directory in
            try setMode(0o777, of: directory.directoryPath)
            #expect(throws: FileError(path: directory.directoryPath, cause: .folderOpenToOthers(mode: 0o777))) {
                try OwnFolder.makeOrCheck(directory.directoryPath)
            }
        }
    }

    /// Needs root, which may give folders to other users.
    @Test(.enabled(if: geteuid() == 0)) func folderOfAnotherUserIsRefused() async {
        await #expect(processExitsWith: .success) {
            try await withTemporaryDirectory { directory in
                try setMode(0o711, of: directory.directoryPath)
                let (mine, other) = (directory.file("mine"), directory.file("other"))
                for path in [mine, other] { try #require(mkdir(path, 0o755) == 0 && chmod(path, 0o755) == 0) }
                try #require(chown(mine, 65_534, 65_534) == 0)
                // Root may use the folders of all users.
                try OwnFolder.makeOrCheck(mine)
                try #require(chmod(mine, 0o755) == 0 && seteuid(65_534) == 0)
                defer { seteuid(0) }
                try OwnFolder.makeOrCheck(mine)
                try #require(throws: FileError(path: other, cause: .belongsToOther(owner: 0))) {
                    try OwnFolder.makeOrCheck(other)
                }
                // A store does not change the folders of other users.
                try OwnFolder.closeToOthers(other, FileSystem())
            }
        }
    }

    @Test func ownFolderIsClosedWithItsContent() async throws {
        try await withTemporaryDirectory { directory in
            try write("x", to: directory.file("file"))
            try setMode(0o777, of: directory.directoryPath)
            try OwnFolder.closeToOthers(directory.directoryPath, FileSystem())
            #expect(try mode(of: directory.directoryPath) == 0o700)
        }
    }
}
