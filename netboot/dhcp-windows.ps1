# UNTESTED: nobody has run this here. Options 66 and 67 by a policy; leave option 60 alone.
Add-DhcpServerv4Class -Name "UEFI x64 7" -Type Vendor -Data "PXEClient:Arch:00007"
Add-DhcpServerv4Class -Name "UEFI x64 9" -Type Vendor -Data "PXEClient:Arch:00009"
Add-DhcpServerv4Policy -Name "ironstrap" -Condition OR -VendorClass EQ,"UEFI x64 7*","UEFI x64 9*"
Set-DhcpServerv4OptionValue -PolicyName "ironstrap" -OptionId 66 -Value "{{ tftp }}"
Set-DhcpServerv4OptionValue -PolicyName "ironstrap" -OptionId 67 -Value "bootx64.efi"
