import Foundation
import ObjectStore
import ObjectStoreConformance
import SystemSupport
import Testing
import TransferCommon

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

@Suite struct FileStoreFileSystemTests {
    @Test(
        arguments: [
            (0x6969, "NFS"), (0xFF53_4D42, "CIFS"), (0xFE53_4D42, "SMB"), (0x517B, "SMB"), (0x0102_1997, "9P"),
            (0x5346_414F, "AFS"), (0x00C3_6400, "CephFS"), (0x0BD0_0BD0, "Lustre"), (0x6573_5546, "FUSE"),
        ] as [(UInt64, String)])
    func refusesNetworkFileSystems(_ type: UInt64, _ name: String) async throws {
        try await withTestDirectory { directory in
            let error = await expectError(.unsupported) {
                try await directory.open(answers: FileSystemAnswers(type: type))
            }
            let sentence = error?.sentence ?? ""
            #expect(sentence.contains(name) && sentence.contains("Choose"), "\(sentence)")
            let made = try FileManager.default.contentsOfDirectory(atPath: directory.path)
            #expect(made.isEmpty)
        }
    }

    @Test(
        arguments: [(0x9FA0, "proc"), (0x6265_6572, "sysfs"), (0x6367_7270, "cgroup2"), (0xCAFE_4A11, "bpf")]
            as [(UInt64, String)])
    func refusesFileSystemsOfTheKernel(_ type: UInt64, _ name: String) async throws {
        try await withTestDirectory { directory in
            let error = await expectError(.unsupported) {
                try await directory.open(answers: FileSystemAnswers(type: type))
            }
            #expect(error?.sentence.contains("is on \(name), where the kernel") == true, "\(error?.sentence ?? "")")
        }
    }

    /// "Does not exist" would send the operator to look for something that is there.
    @Test func saysWhatIsInThePlaceOfTheDirectory() async throws {
        try await withTestDirectory { directory in
            let file = directory.path + "/file"
            try Data().write(to: URL(filePath: file))
            let expected = [
                file: "leads to a file, not to a directory", file + "/below": "A part of the store's path is a file",
                "/dev/null": "leads to a device, pipe or socket",
            ]
            for (path, words) in expected {
                let place = TestDirectory(url: URL(filePath: path), threads: directory.threads)
                let error = await expectError(.unsupported) { try await place.open() }
                #expect(error?.sentence.contains(words) == true, "\(path): \(error?.sentence ?? "")")
            }
            let nowhere = TestDirectory(url: directory.url.appending(path: "missing"), threads: directory.threads)
            let missing = await expectError(.bucketMissing) { try await nowhere.open() }
            #expect(missing?.sentence == "The store's directory does not exist.")
        }
    }

    /// The type numbers of ext4, XFS, Btrfs, tmpfs, ZFS, F2FS, and of an unknown file system.
    @Test(
        arguments: [0xEF53, 0x5846_5342, 0x9123_683E, 0x0102_1994, 0x2FC1_2FC1, 0xF2F5_2010, 0x1234_5678] as [UInt64])
    func acceptsLocalFileSystems(_ type: UInt64) async throws {
        try await withTestDirectory { directory in
            let store = try await directory.open(answers: FileSystemAnswers(type: type))
            try await store.put(Sample(10, seed: 1), key: "a/b")
        }
    }

    private static let overlay: UInt64 = 0x794C_7630

    @Test(arguments: [
        ("overlay overlay rw,lowerdir=/l,upperdir=/u,workdir=/w,volatile", true),
        ("overlay overlay rw,lowerdir=/l,upperdir=/u,workdir=/w,fsync=volatile", true),
        ("overlay overlay rw,lowerdir=/volatile,upperdir=/u,workdir=/w", false),
        ("overlay volatile rw,lowerdir=/l,upperdir=/u,workdir=/w", false),
        ("ext4 /dev/vda rw,volatile", false),
    ])
    func refusesAnOverlayThatDoesNotSync(_ end: String, _ isRefused: Bool) async throws {
        try await withTestDirectory { directory in
            var status = stat()
            try #require(stat(directory.path, &status) == 0)
            // The major and the minor number of this device fit into these bits.
            let number = "\(status.st_dev >> 8 & 0xFFF):\(status.st_dev & 0xFF)"
            let mountInfo = """
                22 27 0:999 / /proc rw,relatime - overlay overlay rw,volatile
                66 27 \(number) / /srv rw,relatime shared:1 - \(end)

                """
            let answers = FileSystemAnswers(type: Self.overlay, mountInfo: mountInfo)
            if isRefused {
                let error = await expectError(.unsupported) { try await directory.open(answers: answers) }
                #expect(error?.sentence.contains("volatile") == true)
            } else {
                _ = try await directory.open(answers: answers)
            }
        }
    }

    /// FileStore refuses an overlay only if it is mounted `volatile`. If the test may not mount an overlay, it checks
    /// nothing.
    @Test(arguments: [true, false])
    func checksOnlyItsOwnOverlay(_ isVolatile: Bool) async throws {
        try await withTestDirectory { outer in
            for name in ["lower", "upper", "work", "merged"] {
                try FileManager.default.createDirectory(atPath: outer.path(name), withIntermediateDirectories: true)
            }
            let options =
                "lowerdir=\(outer.path("lower")),upperdir=\(outer.path("upper")),workdir=\(outer.path("work"))"
            let merged = TestDirectory(url: outer.url.appendingPathComponent("merged"), threads: outer.threads)
            guard mount("overlay", merged.path, "overlay", 0, options + (isVolatile ? ",volatile" : "")) == 0 else {
                return
            }
            defer { umount2(merged.path, CInt(MNT_DETACH)) }
            if isVolatile {
                await expectError(.unsupported) { try await merged.open() }
            } else {
                let store = try await merged.open()
                try await store.put(Sample(10, seed: 1), key: "a/b")
                try await store.put(Sample(20, seed: 2), key: "a/b")
                #expect(try await store.object(key: "a/b")?.metadata != nil)
                try await store.close()
            }
        }
    }

    @Test func refusesFuse() async throws {
        try await withTestDirectory { outer in
            try FileManager.default.createDirectory(atPath: outer.path("fuse"), withIntermediateDirectories: true)
            guard let mount = FuseMount(at: outer.path("fuse")) else { return }
            defer { mount.unmount() }
            let directory = TestDirectory(url: outer.url.appendingPathComponent("fuse"), threads: outer.threads)
            let error = await expectError(.unsupported) { try await directory.open() }
            #expect(error?.sentence.contains("FUSE") == true)
        }
    }

    private static let foldsCase: UInt32 = 0x4000_0000

    @Test func refusesADirectoryThatFoldsCase() async throws {
        try await withTestDirectory { directory in
            let error = await expectError(.unsupported) {
                try await directory.open(answers: FileSystemAnswers { _ in Self.foldsCase })
            }
            #expect(error?.sentence.contains("case") == true)
            let made = try FileManager.default.contentsOfDirectory(atPath: directory.path)
            #expect(made.isEmpty)
        }
    }

    /// Each folder has its own setting for whether names ignore case. Another program may have made a folder whose
    /// names ignore case, so FileStore refuses keys in such a folder.
    @Test func refusesKeysInAFolderThatFoldsCase() async throws {
        try await withTestDirectory { directory in
            let folded = directory.path("Cam")
            let store = try await directory.open(answers: FileSystemAnswers { $0 == folded ? Self.foldsCase : 0 })
            for key in ["Cam/file", "Cam/deeper/file"] {
                let error = await expectError(.keyUnsupported) { try await store.put(Sample(1, seed: 1), key: key) }
                #expect(error?.sentence.contains("chattr -F") == true)
            }
            try await store.put(Sample(1, seed: 1), key: "cam/file")
        }
    }

    /// A file system that treats different names as equal does not report this. So the store makes a file and looks for
    /// it under another spelling. The test makes that spelling exist just before the store looks.
    @Test(arguments: ["/NAME-A", "/name-e\u{301}"])
    func refusesAFileSystemThatFoldsNames(_ alias: String) async throws {
        try await withTestDirectory { directory in
            let faults = FileFaults()
            faults.set { call, _ in
                guard call.operation == .status, call.path.utf8.reversed().starts(with: alias.utf8.reversed()) else {
                    return 0
                }
                return mkdir(call.path, 0o777) == 0 ? 0 : errno
            }
            let error = await expectError(.unsupported) { try await directory.open(faults) }
            #expect(error?.sentence.contains("accent") == true)
            let locks = try directory.files(below: ".sluice/instances")
            #expect(locks.isEmpty)
        }
    }
}
