import Glibc
import SystemSupport
import Testing

@Suite struct FileErrorTests {
    private static let path = "/srv/site/keyring"
    private static let directory = "/srv/site"
    private static let temporary = "/srv/site/.sluice-1.tmp"

    @Test func descriptionHidesTheDirectory() {
        let error = FileError(FileCall(.rename, Self.temporary, target: Self.path), errno: EACCES)
        #expect(error.description == "Could not put keyring in its place: Permission denied.")
        #expect(error.debugDescription == "Could not put /srv/site/keyring in its place: Permission denied.")
    }

    /// The call that failed may be on another file than the one that the user asked for, such as a temporary one.
    @Test(
        arguments: [
            (FileCall(.openFolder, directory), "open the directory of keyring"),
            (FileCall(.createFile, temporary), "create a temporary file beside keyring"),
            (FileCall(.setOwner, temporary), "keep the owner of keyring"),
            (FileCall(.setPermissions, temporary), "set the mode of keyring"),
            (FileCall(.write, temporary), "write keyring"),
            (FileCall(.syncFile, temporary), "write keyring to the disk"),
            (FileCall(.link, temporary, target: path), "put keyring in its place"),
            (FileCall(.syncFolder, directory), "write the directory of keyring to the disk"),
            (FileCall(.openFile, path), "open keyring"),
            (FileCall(.status, path), "look at keyring"),
            (FileCall(.lock, path), "lock keyring"),
            (FileCall(.read, path), "read keyring"),
        ])
    func sentenceNamesTheRequestedFile(_ call: FileCall, _ attempt: String) {
        let error = FileError(path: Self.path, cause: .system(call, errno: ENOSPC))
        #expect(error.description == "Could not \(attempt): No space left on device.")
    }

    @Test func standaloneCallNamesItsFile() {
        let error = FileError(FileCall(.openFolder, Self.directory), errno: ENOENT)
        #expect(error.path == Self.directory)
        #expect(error.description == "Could not open the directory site: No such file or directory.")
    }

    @Test func onlyAFailedCallHasACode() {
        let failed = FileError(FileCall(.openFile, Self.path), errno: ENOENT)
        #expect(failed.code == ENOENT)
        #expect(failed.isMissing)
        let refused = FileError(path: Self.path, cause: .notRegularFile)
        #expect(refused.call == nil)
        #expect(refused.code == nil)
        #expect(!refused.isMissing)
    }
}
