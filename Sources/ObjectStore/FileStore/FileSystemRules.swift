import SystemSupport
import TransferCommon

/// Decides which file systems a store may be on. The store checks its file system when it opens, so that an operator
/// sees a problem before any object is at risk.
///
/// A store relies on four guarantees: an `flock` has effect for all gateways on the directory; names are equal only if
/// all their bytes are equal; a synced file or folder survives a power cut; and after a crash a rename has happened
/// completely or not at all.
///
/// | file system                                   | what fails                          | detected by              |
/// |-----------------------------------------------|-------------------------------------|--------------------------|
/// | NFS, SMB, 9P, AFS, Ceph, Coda, Lustre, BeeGFS | a host does not see another's locks | type                     |
/// | shared folders of virtual machines            | the same                            | type                     |
/// | FUSE, virtiofs                                | the storage behind it is unknown    | type                     |
/// | FAT, exFAT, HFS+, case-ignoring ZFS or XFS    | different names count as equal      | creating two names       |
/// | ext4, F2FS, tmpfs                             | the same, in folders with `+F`      | each folder's attributes |
/// | overlay, mounted `volatile`                   | `fsync` does nothing                | mountinfo                |
/// | proc, sysfs and others of the kernel          | they keep no files                  | type                     |
///
/// Every other file system is accepted.
enum FileSystemRules {
    /// Throws if the type or the attributes of the directory's file system rule it out. Writes nothing.
    ///
    /// - Parameter device: the device number of the directory.
    static func check(_ root: borrowing OpenFolder, device: UInt64, _ files: FileSystem) throws {
        let type = try root.fileSystemType()
        if let name = networkTypes[type] {
            throw StoreError(
                .unsupported,
                "The store's directory is on \(name), a network file system, where gateways on several hosts do not "
                    + "see each other's locks. Choose a directory on a local disk, or an S3 store.")
        }
        if let name = kernelTypes[type] {
            throw StoreError(
                .unsupported,
                "The store's directory is on \(name), where the kernel shows its own state and keeps no files. Choose "
                    + "a directory on a local disk, or an S3 store.")
        }
        if type == fuseType {
            throw StoreError(
                .unsupported,
                "The store's directory is on FUSE or virtiofs, where the gateway cannot know whether locks, renames "
                    + "and syncs work. Choose a directory on a local disk, or an S3 store.")
        }
        if type == overlayType, try isVolatile(device: device, files.mountInfo()) {
            throw StoreError(
                .unsupported,
                "The store's directory is on an overlay that is mounted volatile, so that it loses its files in a "
                    + "power cut. Mount it without this option, or choose a directory on a disk.")
        }
        guard try !root.foldsCase() else { throw namesAreFolded }
    }

    /// Throws if the file system treats different names as equal, which this method tests by creating files.
    ///
    /// - Parameter folder: an empty folder in `.sluice`, on the same file system as the objects.
    static func checkNames(in folder: String, _ files: FileSystem) throws {
        for (name, other) in [("name-a", "NAME-A"), ("name-\u{E9}", "name-e\u{301}")] {
            let path = "\(folder)/\(name)"
            _ = try files.createStoreFile(path)
            let isFolded = try files.status("\(folder)/\(other)") != nil
            try files.removeFile(path)
            guard !isFolded else { throw namesAreFolded }
        }
    }

    private static var namesAreFolded: StoreError {
        StoreError(
            .unsupported,
            "The store's directory does not distinguish names that differ in case or in the encoding of an accent, so "
                + "that one object could replace another. Choose a directory on ext4 or XFS without that setting.")
    }

    /// Whether the mount with this device number is an overlay mounted `volatile`, on which `fsync` does nothing.
    ///
    /// Format of a line of mountinfo: `36 35 98:0 /root /mount options optional… - type source superoptions`.
    static func isVolatile(device: UInt64, _ mountInfo: String) -> Bool {
        // Decode the kernel's 64-bit device number into major and minor.
        let major = device >> 8 & 0xFFF | device >> 32 & 0xFFFF_F000
        let minor = device & 0xFF | device >> 12 & 0xFFFF_FF00
        let number = "\(major):\(minor)"
        return mountInfo.utf8.split(separator: UInt8(ascii: "\n")).contains { line in
            let fields = line.split(separator: UInt8(ascii: " "))
            guard fields.count > 3, fields[2].elementsEqual(number.utf8),
                let end = fields.firstIndex(where: { $0.elementsEqual("-".utf8) }), fields.count > end + 3
            else { return false }
            return fields[end + 1].elementsEqual("overlay".utf8)
                && fields[end + 3].split(separator: UInt8(ascii: ",")).contains { option in
                    option.elementsEqual("volatile".utf8) || option.elementsEqual("fsync=volatile".utf8)
                }
        }
    }

    /// Values of `statfs.f_type`, from the kernel's `magic.h` and the file systems' own sources.
    private static let networkTypes: [UInt64: String] = [
        0x6969: "NFS", 0x517B: "SMB", 0xFF53_4D42: "CIFS", 0xFE53_4D42: "SMB", 0x0102_1997: "9P", 0x5346_414F: "AFS",
        0x6B41_4653: "AFS", 0x00C3_6400: "CephFS", 0x7375_7245: "Coda", 0x564C: "NCP", 0x0BD0_0BD0: "Lustre",
        0x1983_0326: "BeeGFS", 0x4750_4653: "GPFS", 0xAAD7_AAEA: "PanFS", 0x786F_4256: "a VirtualBox shared folder",
        0xBACB_ACBC: "a VMware shared folder", 0x7C7C_6673: "a Parallels shared folder", 0x2003_0528: "OrangeFS",
    ]
    private static let kernelTypes: [UInt64: String] = [
        0x9FA0: "proc", 0x6265_6572: "sysfs", 0x6462_6720: "debugfs", 0x7472_6163: "tracefs", 0x27_E0EB: "cgroup",
        0x6367_7270: "cgroup2", 0x1CD1: "devpts", 0x7363_6673: "securityfs", 0xCAFE_4A11: "bpf", 0x6E73_6673: "nsfs",
    ]
    private static let fuseType: UInt64 = 0x6573_5546
    private static let overlayType: UInt64 = 0x794C_7630
}
