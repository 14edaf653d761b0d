//! Rules of `image lint`: what each finding is called, and what the handbook says of it.

use crate::value::rule::rules;

rules! {
    KERNEL_FLAVOUR = "image-kernel-flavour" error,
        "The kernel is one for virtual machines: it lacks drivers of disks, network cards and keyboards that real machines have.",
        "Install the distribution's general kernel and take this one out.";
    NO_DRIVER = "image-no-driver" either,
        "No module and no built-in driver of the kernel answers to a disk controller, network card or USB controller of the hardware that was asked about.",
        "Install the package that the finding names; waive it where nobody needs the device.";
    NO_FIRMWARE = "image-no-firmware" warning,
        "A driver that the hardware needs may ask for firmware that isn't in the image: not every card of a driver needs each of its files.",
        "Install the package that the finding names.";
    INITRD_DRIVER = "image-initrd-driver" error,
        "The image's own initrd lacks the driver of a disk controller, which is a module: the installed system doesn't find its root.",
        "Make the initrd with all drivers: MODULES=most in initramfs-tools, hostonly=no in dracut.";
    UNSIGNED = "image-unsigned" warning,
        "Shim, GRUB or the kernel has no signature: it doesn't start where Secure Boot is on.",
        "Install the distribution's signed packages.";
    CA_2011 = "image-ca-2011" warning,
        "Shim is signed by Microsoft's CA of 2011 alone: machines that trust only that of 2023 don't start it.",
        "Install a shim that is signed by both; waive it where all machines trust that of 2011.";
    NO_SBAT = "image-no-sbat" warning,
        "Shim or GRUB says no SBAT generation: it is older than 2021, and newer shims don't start it.",
        "Update the loaders.";
    GRUB_CONFIG = "image-grub-config" warning,
        "GRUB finds no configuration where it looks for one: it stops at its prompt.",
        "Run update-grub or grub2-mkconfig when the image is made.";
    FSTAB_DEVICE = "image-fstab-device" error,
        "The file `/etc/fstab` names a disk by the kernel's name for it, which is another one on other machines.",
        "Write UUID= or LABEL= there.";
    CLOUD_INIT_DISABLED = "image-cloud-init-disabled" warning,
        "The kernel's command line or a file switches cloud-init off.",
        "Take it out, unless no host is handed over by cloud-init.";
    DATASOURCE = "image-datasource" warning,
        "The list of cloud-init's data sources has no NoCloud, by which hosts are handed over.",
        "Add NoCloud to `datasource_list`, or leave the list out.";
    GRUB_DEVICE = "image-grub-device" warning,
        "Debconf or `/boot/grub/device.map` names the disk of the machine on which the image was made: the next update of GRUB stops at it.",
        "Take device.map out, and set grub-pc/install_devices to nothing.";
    NIC_NAME = "image-nic-name" warning,
        "A file names a network card of the machine on which the image was made.",
        "Take the file out; the host's own network is written by the agent.";
    BUILDER_NAME = "image-builder-name" warning,
        "The file `/etc/hosts` gives 127.0.1.1 a name that isn't the image's: that of the machine on which it was made.",
        "Take the line out.";
    RESUME = "image-resume" warning,
        "The system waits at each start for swap that is on none of its disks.",
        "Write RESUME=none in /etc/initramfs-tools/conf.d/resume, take resume= off the kernel's command line, and make the initrd anew.";
    PRIVATE_KEY = "image-private-key" error,
        "A private key is in the image, and so on each host that is made of it.",
        "Take it out; hosts get theirs by their hand-off.";
    CLEAR_PASSWORD = "image-clear-password" error,
        "A password or token is in the image as clear text.",
        "Take it out, and change it: the image was copied.";
    RECORDS = "image-records" warning,
        "Records of who worked on the image are in it: histories of shells say much, passwords among it.",
        "Delete them when the image is made.";
    OLD = "image-old" warning,
        "The image's package lists or its last package are older than half a year.",
        "Build it anew.";
    END_OF_LIFE = "image-end-of-life" warning,
        "The distribution's release gets no security updates any more, without a contract.",
        "Take a newer release.";
}
